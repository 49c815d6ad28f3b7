var request = require('request');

var targetURL = '/wallet/balance/update'
var response = request.post(
  {
    url: targetURL,
    headers: {
      "apikey": your_apikey
    },
    form: {
      "wallet_key": your_wallet_key,
      "phone": client_phone_number,
      "transaction_type": 0,
      "transaction_amount": 1000,
      "usertool_id": cashier_id
    }
  }, (err, res, body) => {
    if(err == null){
      console.log(body);
    }
  }
);
