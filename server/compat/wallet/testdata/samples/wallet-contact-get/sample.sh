curl -X POST "/wallet/contact/get" -H "apikey: your_apikey" -d "wallet_key=your_wallet_key"
