const response = await fetch(`${process.env.ROSTER_URL}/api/sys/users`, {
    method: 'PUT',
    headers: {
        Authorization: `Bearer ${process.env.ROSTER_TOKEN}`,
        'Content-Type': 'application/json',
    },
    body: JSON.stringify({
        FullName: 'From fetch',
        Email: 'ada.andersson@example.com',
        Language: 1,
        PasswordSalt: '',
        LastHelpVisited: 0,
        InvalidLoginAttempts: 0,
        Id: 87654321,
    }),
});

const data = await response.json();
console.log(JSON.stringify(data));
