var request = require('request');

var targetURL = '/employee/disable'
var response = request.post(
  {
    url: targetURL,
    headers: {
      "apikey": your_apikey
    },
    form: {
      "number" : employee_number,
    }
  }, (err, res, body) => {
    if(err == null){
      console.log(body);
    }
  }
);
