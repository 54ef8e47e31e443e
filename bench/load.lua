-- load.lua JOB TOKEN FIRST COUNT [check]: what wrk asks for. JOB: fixed, get, put, email. With
-- `check`, each reply's body is looked at, which costs the load generator too much to do for all.
local threads, job, token, first, count, checking = {}, nil, nil, nil, nil, false

function setup(thread)
   table.insert(threads, thread)
   thread:set("number", #threads)
end

local booleans = { "Validated", "OnNewWallPost", "OnNewMember", "OnProfileChanges", "OnNewBlogComment",
   "OnNewEventComment", "OnTariffChange", "OnBookingChange", "OnTentativeBookingChange", "OnPurchases",
   "OnVisitorRegistration", "OnPlaformInvoices", "ReceiveCommunityDigest", "ReceiveEveryMessage",
   "OnAccessControlErrors", "OnMemberRemovedFromTeam", "OnVirtualOfficeTariffChange",
   "OnVirtualOfficeDeliveryPreferenceUpdate", "OnIdentityCheckUpdate", "IsAdmin", "APIAccess",
   "MustResetPassword" }
local rest

function init(args)
   job, token, first, count, checking = args[1], args[2], tonumber(args[3]), tonumber(args[4]), args[5] == "check"
   if not checking then response = nil end
   math.randomseed(os.time() * 1000 + number)
   local parts = {}
   for _, name in ipairs(booleans) do table.insert(parts, '"' .. name .. '":false') end
   rest = ',"Active":true,"Language":1,"PasswordSalt":"","InvalidLoginAttempts":0,"AccessToken":null,'
      .. '"PreferredLanguageId":null,"NewPassword":null,"Password":null,"NewAvatarUrl":null,"ClearAvatarFile":null,'
      .. '"ApplicationId":null,"Devices":"phone:0123456789abcdef;laptop:fedcba9876543210","TwoFactorSecret":null,'
      .. '"EmailCallBackGuid":null,"Businesses":[301,302],"AddedBusinesses":null,"RemovedBusinesses":null,'
      .. '"UserRoles":[],"AddedUserRoles":null,"RemovedUserRoles":null,"ChatRooms":[],"AddedChatRooms":null,'
      .. '"RemovedChatRooms":null,"LastReceivedCommunityThreadDate":null,"LastReceivedCommunityMessageDate":null,'
      .. '"NextCommunityDigest":null,"SupportTeamUserEmail":null,"LastLoginAttempt":null,'
      .. '"NextHelpDeskMessageReminder":null,"SystemId":null,' .. table.concat(parts, ",") .. "}"
   wrk.headers["Authorization"] = "Bearer " .. token
   wrk.headers["Content-Type"] = "application/json"
end

local function put(id)
   local email = string.format("user.%d@example.com", id)
   if job == "email" then email = string.format("user.%d.%d@example.com", id, math.random(1000000000)) end
   local now = os.time()
   return string.format('{"Id":%d,"FullName":"User Number %d","Email":"%s","LastHelpVisited":%d,"LastAccess":"%s.%03dZ",'
      .. '"OnNewEmail":%s,"OnHelpDeskMsg":%s', id, id, email, math.random(1000000000), os.date("!%Y-%m-%dT%H:%M:%S", now),
      math.random(0, 999), tostring(math.random(2) == 1), tostring(math.random(2) == 1)) .. rest
end

function request()
   local id = first + math.random(0, count - 1)
   if job == "get" or job == "fixed" then return wrk.format("GET", "/api/sys/users/" .. id) end
   return wrk.format("PUT", "/api/sys/users", nil, put(id))
end

wrong = 0
function response(status, headers, body)
   local right = status == 200
   if job == "get" then right = right and body:find('"FullName":"User Number ', 1, true) == 2 and body:sub(-1) == "}"
   elseif job ~= "fixed" then
      right = right and body:find('"Message":"User was successfully updated."', 1, true) ~= nil
         and body:find('"WasSuccessful":true}', 1, true) ~= nil
   end
   if not right then wrong = wrong + 1 end
end

function done(summary, latency)
   local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.timeout
   for _, thread in ipairs(threads) do bad = bad + (thread:get("wrong") or 0) end
   io.write(string.format("RESULT %.0f %.2f %.2f %d\n", summary.requests / summary.duration * 1e6,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, bad))
end
