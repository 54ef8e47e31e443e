curl -X PUT \
  "$ROSTER_URL/api/sys/users" \
  -H "Authorization: Bearer $ROSTER_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "FullName": "From curl",
    "Email": "ada.andersson@example.com",
    "Language": 1,
    "PasswordSalt": "",
    "LastHelpVisited": 0,
    "InvalidLoginAttempts": 0,
    "Id": 87654321
}'
