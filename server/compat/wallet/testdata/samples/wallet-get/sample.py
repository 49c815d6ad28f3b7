import requests

targetURL = "/wallet/get"
headers = {
  'apikey':your_apikey
}
data = {}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
