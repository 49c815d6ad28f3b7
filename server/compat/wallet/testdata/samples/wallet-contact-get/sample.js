var request = require('request');

var targetURL = '/wallet/contact/get'
var response = request.post(
  {
    url: targetURL,
    headers: {
      "apikey": your_apikey
    },
    form: {
      "wallet_key": your_wallet_key
    }
  }, (err, res, body) => {
    if(err == null){
      console.log(body);
    }
  }
);
