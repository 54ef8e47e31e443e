import json
import os

import requests

response = requests.put(
    os.environ['ROSTER_URL'] + '/api/sys/users',
    headers={
        'Authorization': 'Bearer ' + os.environ['ROSTER_TOKEN'],
        'Content-Type': 'application/json'
    },
    json={
        'FullName': 'From requests',
        'Email': 'ada.andersson@example.com',
        'Language': 1,
        'PasswordSalt': '',
        'LastHelpVisited': 0,
        'InvalidLoginAttempts': 0,
        'Id': 87654321
    }
)

data = response.json()
print(json.dumps(data))
