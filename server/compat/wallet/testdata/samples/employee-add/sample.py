import requests

targetURL = "/employee/add"
headers = {
  'apikey':your_apikey
}
data = {
  'type' : cajero,
  'number' : employee_number,
  'employee_name' : employee_name,
  'business_name' : employee_business,
  'password' : employee_password
}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
