curl -X POST "/toolusers/get" -H "apikey: your_apikey" -d ""
