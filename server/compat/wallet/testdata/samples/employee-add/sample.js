var request = require('request');

var targetURL = '/employee/add'
var response = request.post(
  {
    url: targetURL,
    headers: {
      "apikey": your_apikey
    },
    form: {
      "type" : cajero,
      "number" : employee_number,
      "employee_name" : employee_name,
      "business_name" : employee_business,
      "password" : employee_password
    }
  }, (err, res, body) => {
    if(err == null){
      console.log(body);
    }
  }
);
