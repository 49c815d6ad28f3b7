import requests

targetURL = "/wallet/contact/get"
headers = {
  'apikey':your_apikey
}
data = {
  'wallet_key':your_wallet_key
}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
