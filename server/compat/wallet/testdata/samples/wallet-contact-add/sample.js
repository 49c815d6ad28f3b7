var request = require('request');

var targetURL = '/wallet/contact/add'
var response = request.post(
  {
    url: targetURL,
    headers: {
      "apikey": your_apikey
    },
    form: {
      "wallet_key": your_wallet_key,
      "phone": client_phone_number,
      "customer_name": client_name,
      "usertool_id": cashier_id
    }
  }, (err, res, body) => {
    if(err == null){
      console.log(body);
    }
  }
);
