$params = array(
  "number" => employee_number
);
$headers = array(
  "apikey: your_apikey"
);
curl_setopt_array($ch = curl_init(), array(
  CURLOPT_URL => "/employee/disable",
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
