curl -X POST "/wallet/balance/update" -H "apikey: your_apikey" -d "wallet_key=your_wallet_key&phone=client_phone_number&transaction_type=0&transaction_amount=1000&usertool_id=cashier_id"
