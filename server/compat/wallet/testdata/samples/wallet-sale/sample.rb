require 'net/http'
require 'uri'

uri = URI.parse("/wallet/sale")
headers = {
  "apikey": your_apikey
}
request = Net::HTTP::Post.new(uri, headers)
request.set_form_data(
  "wallet_key" => your_wallet_key,
  "phone" => client_phone_number,
  "transaction_type" => 0,
  "transaction_amount" => 1000,
  "usertool_id" => cashier_id
)
req_options = {
  use_ssl: uri.scheme == "https",
}
response = Net::HTTP.start(uri.hostname, uri.port, req_options) do |http|
  http.request(request)
end

puts response.body
