$params = array(
  "wallet_key" => your_wallet_key,
  "phone" => client_phone_number,
  "transaction_type" => 0,
  "transaction_amount" => 1000,
  "usertool_id" => cashier_id
);
$headers = array(
  "apikey: your_apikey"
);
curl_setopt_array($ch = curl_init(), array(
  CURLOPT_URL => "/wallet/sale",
  CURLOPT_SSL_VERIFYPEER => 0,
  CURLOPT_HEADER => 0,
  CURLOPT_HTTPHEADER => $headers,
  CURLOPT_POST => 1,
  CURLOPT_POSTFIELDS => http_build_query($params),
  CURLOPT_RETURNTRANSFER => 1
));
$response = curl_exec($ch);
curl_close($ch);

echo json_encode($response);
