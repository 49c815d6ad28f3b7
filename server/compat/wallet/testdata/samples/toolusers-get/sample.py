import requests

targetURL = "/toolusers/get"
headers = {
  'apikey':your_apikey
}
data = {}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
