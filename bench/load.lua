-- load.lua JOB TOKEN FIRST COUNT [check]: what wrk asks for. JOB: fixed, same, pipelined, get, put, email,
-- login, guess, greek, or one of the searches below. With `check`, each reply's body is looked at, which costs the load
-- generator too much to do for all. Prints replies a second, p50 and p99 in ms, how many were wrong, and
-- how many there were.
local threads, job, token, first, count, checking = {}, nil, nil, nil, nil, false

function setup(thread)
   table.insert(threads, thread)
   thread:set("number", #threads)
end

-- The members come in the order in which a record lists them, as from a client that sends one back.
local members = [[{"Id":%d,"FullName":"User Number %d","Email":"user.%d%s@example.com","AccessToken":null,
"Language":1,"PreferredLanguageId":null,"NewPassword":null,"Password":null,"PasswordSalt":"","NewAvatarUrl":null,
"ClearAvatarFile":null,"ApplicationId":null,"Active":true,"IsAdmin":false,"APIAccess":false,"Validated":false,
"MustResetPassword":false,"LastAccess":"2026-01-%dT%d:%d:%d.%dZ","Devices":"phone:0123456789abcdef;laptop:fedcba9876543210",
"OnNewEmail":%s,"OnHelpDeskMsg":%s,"OnNewWallPost":false,"OnNewMember":false,"OnProfileChanges":false,
"OnNewBlogComment":false,"OnNewEventComment":false,"OnTariffChange":false,"OnBookingChange":false,
"OnTentativeBookingChange":false,"OnPurchases":false,"OnVisitorRegistration":false,"OnPlaformInvoices":false,
"ReceiveCommunityDigest":false,"ReceiveEveryMessage":false,"TwoFactorSecret":null,"EmailCallBackGuid":null,
"Businesses":[301,302],"AddedBusinesses":null,"RemovedBusinesses":null,"UserRoles":[],"AddedUserRoles":null,
"RemovedUserRoles":null,"ChatRooms":[],"AddedChatRooms":null,"RemovedChatRooms":null,"LastHelpVisited":%d,
"LastReceivedCommunityThreadDate":null,"LastReceivedCommunityMessageDate":null,"NextCommunityDigest":null,
"SupportTeamUserEmail":null,"InvalidLoginAttempts":0,"LastLoginAttempt":null,"OnAccessControlErrors":false,
"NextHelpDeskMessageReminder":null,"OnMemberRemovedFromTeam":false,"OnVirtualOfficeTariffChange":false,
"OnVirtualOfficeDeliveryPreferenceUpdate":false,"OnIdentityCheckUpdate":false,"SystemId":null}]]
members = members:gsub("\n", "")

-- All bodies of a job have one length, so the head is made once.
local head, truth = nil, { "true ", "false" }

-- No e-mail may come to hold the Id of another user, which `rare_email` looks for: those begin with 2.
local function body(id)
   local random = math.random
   local email = job == "email" and ".x" .. random(300000000, 999999999) or ""
   return members:format(id, id, id, email, random(10, 28), random(10, 23), random(10, 59), random(10, 59),
      random(100, 999), truth[random(2)], truth[random(2)], random(100000000, 999999999))
end

local function sign_in(username, password)
   local form = "grant_type=password&username=" .. username .. "&password=" .. password
   return "POST /api/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      .. "Content-Length: " .. #form .. "\r\n\r\n" .. form
end

-- Searches, and how many records are right. %d is a user, or with `true` any page.
local searches = {
   find_email = { "User_Email=user.%d@example.com", 1 },
   find_id = { "Id=%d", 1 },
   by_id = { "size=25", 25 },
   by_name = { "size=25&orderBy=FullName", 25 },
   by_email = { "size=25&orderBy=Email&dir=desc", 25 },
   any_by_id = { "size=25&page=%d", 25, true },
   any_by_name = { "size=25&orderBy=FullName&page=%d", 25, true },
   any_by_email = { "size=25&orderBy=Email&dir=desc&page=%d", 25, true },
   rare_name = { "User_FullName=%d", 1 },
   some_names = { "User_FullName=20000123", 10 },
   rare_email = { "User_Email=%d", 1 },
   all_emails = { "User_Email=@example.com", 25 },
}

-- Those with an odd number get new e-mails: the other jobs would change them back.
local function make()
   if job == "login" then return sign_in("admin@example.com", "demo-password") end
   local id = first + math.random(0, math.floor(count / 2) - 1) * 2 + (job == "email" and 1 or 0)
   if job == "get" or job == "fixed" then
      head = head or "Host: localhost\r\nAuthorization: Bearer " .. token .. "\r\n\r\n"
      return "GET /api/sys/users/" .. id .. " HTTP/1.1\r\n" .. head
   end
   if searches[job] then
      head = head or "Host: localhost\r\nAuthorization: Bearer " .. token .. "\r\n\r\n"
      local number = searches[job][3] and math.random(1, math.floor(count / 25)) or id
      return "GET /api/sys/users?" .. searches[job][1]:format(number) .. " HTTP/1.1\r\n" .. head
   end
   head = head or "PUT /api/sys/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      .. "Authorization: Bearer " .. token .. "\r\nContent-Length: " .. #body(id) .. "\r\n\r\n"
   return head .. body(id)
end

-- The load generator shares the cores with the server, so requests are made before the clock runs.
-- Who runs through all of them makes further ones: a body that came before would change nothing.
local made, used = {}, 0

-- `same` and `pipelined` ask for one thing again and again: wrk makes it once and writes it at once, so that
-- the limits of the HTTP layer are the server's. wrk counts the requests in what it is given, and then each
-- reply. So are what others try meanwhile: a password of the first user, and a name of 500,000 letters.
local repeated = { same = 1, pipelined = 16, guess = 1, greek = 1 }

local function one()
   if job == "guess" then return sign_in("user." .. first .. "@example.com", "a guess") end
   if job == "greek" then return sign_in(("\206\177"):rep(500000), "a guess") end
   return ("GET /api/sys/users/%d HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(first)
end

local function repeat_one(times)
   local all = one():rep(times)
   request = nil
   wrk.format = function() return all end
end

local function prepare()
   for i = 1, job == "get" and 80000 or 40000 do made[i] = make() end
end

function init(args)
   job, token, first, count, checking = args[1], args[2], tonumber(args[3]), tonumber(args[4]), args[5] == "check"
   if not checking then response, delay = nil, nil end
   math.randomseed(os.time() * 1000 + number)
   if repeated[job] then repeat_one(repeated[job])
   elseif not checking then prepare() end
end

function request()
   used = used + 1
   local ready = made[used]
   made[used] = nil
   return ready or make()
end

-- About one reply in a hundred is read: this many milliseconds between two.
function delay() return 5 end

wrong = 0
function response(status, headers, body)
   local right = status == 200
   if job == "get" then right = right and body:find('"FullName":"User Number ', 1, true) == 2 and body:sub(-1) == "}"
   elseif searches[job] then
      local records = select(2, body:gsub('"ToStringText":', ""))
      right = right and records == searches[job][2] and body:find('"TotalItems":' , 1, true) ~= nil
   elseif job ~= "fixed" and not repeated[job] then
      right = right and body:find('"Message":"User was successfully updated."', 1, true) ~= nil
         and body:find('"WasSuccessful":true}', 1, true) ~= nil
   end
   if not right then wrong = wrong + 1 end
end

function done(summary, latency)
   local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.timeout
   for _, thread in ipairs(threads) do bad = bad + (thread:get("wrong") or 0) end
   io.write(string.format("RESULT %.0f %.2f %.2f %d %d\n", summary.requests / summary.duration * 1e6,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, bad, summary.requests))
end
