curl -X POST "/wallet/contact/add" -H "apikey: your_apikey" -d "wallet_key=your_wallet_key&phone=client_phone_number&customer_name=client_name&usertool_id=cashier_id"
