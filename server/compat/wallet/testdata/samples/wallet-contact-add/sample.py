import requests

targetURL = "/wallet/contact/add"
headers = {
  'apikey':your_apikey
}
data = {
  'wallet_key':your_wallet_key,
  'phone':client_phone_number,
  'customer_name':client_name,
  'usertool_id':cashier_id
}
r = requests.post(url = targetURL, data = data, headers = headers)

print(r.text)
