curl -X POST "/wallet/get" -H "apikey: your_apikey" -d ""
