var request = (HttpWebRequest)WebRequest.Create("/employee/add");
var postData = "type=cajero&";
postData += "number=employee_number&";
postData += "employee_name=employee_name&";
postData += "business_name=employee_business&";
postData += "password=employee_password";


var data = Encoding.ASCII.GetBytes(postData);
Console.WriteLine(postData.ToString());
request.Method = "POST";
request.Headers["apikey"] = your_apikey;
request.ContentType = "application/x-www-form-urlencoded";
request.ContentLength = data.Length;
using (var stream = request.GetRequestStream())
{
  stream.Write(data, 0, data.Length);
}
var response = (HttpWebResponse)request.GetResponse();
var responseString = new StreamReader(response.GetResponseStream()).ReadToEnd();

Console.WriteLine(responseString);
