import requests

targetURL = "/wallet/balance/update"
headers = {
  'apikey':your_apikey
}
data = {
  'wallet_key':your_wallet_key,
  'phone': client_phone_number,
  'transaction_type': 0,
  'transaction_amount': 1000,
  'usertool_id': cashier_id
}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
