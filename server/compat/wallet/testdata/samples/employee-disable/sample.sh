curl -X POST "/employee/disable" -H "apikey: your_apikey" -d "type=cajero&number=employee_number&employee_name=employee_name&business_name=business_name&password=employee_password"
