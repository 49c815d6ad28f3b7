require 'net/http'
require 'uri'

uri = URI.parse("/employee/add")
headers = {
  "apikey": your_apikey
}
request = Net::HTTP::Post.new(uri, headers)
request.set_form_data(
    "type" => cajero,
    "number" => employee_number,
    "employee_name" => employee_name,
    "business_name" => employee_business,
    "password" => employee_password
)
req_options = {
  use_ssl: uri.scheme == "https",
}
response = Net::HTTP.start(uri.hostname, uri.port, req_options) do |http|
  http.request(request)
end

puts response.body
