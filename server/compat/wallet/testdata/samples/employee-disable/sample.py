import requests

targetURL = "/employee/disable"
headers = {
  'apikey':your_apikey
}
data = {
  'number' : employee_number
}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
