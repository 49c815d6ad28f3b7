var request = require('request');

var targetURL = '/wallet/get'
var response = request.post(
  {
    url: targetURL,
    headers: {
      "apikey": your_apikey
    },
    form: {}
  }, (err, res, body) => {
    if(err == null){
      console.log(body);
    }
  }
);
