var request = (HttpWebRequest)WebRequest.Create("/wallet/sale");
var postData = "wallet_key=your_wallet_key&";
postData += "phone=client_phone_number&";
postData += "transaction_type=0&";
postData += "transaction_amount=1000&";
postData += "usertool_id=cashier_id";
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
