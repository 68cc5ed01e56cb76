-- faults.lua - what the proxy does to requests on their way to the store.
--
-- One rule at a time, set through the control port. A rule names the requests it is about (kind,
-- a part of the key) and says what happens to them: a delay before the first byte, a rate of the
-- connection, a gate that holds them until the test lets them through, and an action taken by a
-- seeded coin, at most `times` times. One nginx worker, so plain variables are the state.
local semaphore = require "ngx.semaphore"

local M = {}

local rule = {}
local hits = 0         -- times the rule's action was taken
local arrived = 0      -- requests seen since the start
local finished = 0     -- of these, answered and logged
local held = {}        -- waiting at the gate, in order of arrival: {kind, uri, semaphore}
local stalled = 0      -- answers that stand still in the middle of their body

local function kind_of(method, args)
	if method == "GET" and args and args:find("list-type=", 1, true) then
		return "LIST"
	end
	return method
end

local function concerns(kind)
	if rule.kind and not rule.kind:find(kind, 1, true) then
		return false
	end
	return not rule.key or ngx.unescape_uri(ngx.var.request_uri):find(rule.key, 1, true) ~= nil
end

local function hold(kind)
	local entry = { kind = kind, uri = ngx.var.request_uri, released = semaphore.new() }
	held[#held + 1] = entry
	entry.released:wait(600)
end

local function takes_action()
	if not rule.action or (rule.times >= 0 and hits >= rule.times) then
		return false
	end
	if rule.coin < 1 and math.random() >= rule.coin then
		return false
	end
	hits = hits + 1
	return true
end

function M.access()
	local kind = kind_of(ngx.req.get_method(), ngx.var.args)
	arrived = arrived + 1
	if not concerns(kind) then
		return
	end
	if rule.delay then
		ngx.sleep(rule.delay)
	end
	if rule.rate then
		ngx.var.limit_rate = rule.rate
	end
	if rule.gate then
		hold(kind)
	end
	if not takes_action() then
		return
	end
	if rule.action == "reset" then
		return ngx.exit(444)
	elseif rule.action == "status" then
		ngx.status = rule.status
		ngx.header["Content-Type"] = "application/xml"
		if ngx.req.get_method() ~= "HEAD" then
			ngx.print("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>", rule.code,
				"</Code><Message>asked for by the test</Message></Error>")
		end
		return ngx.exit(ngx.HTTP_OK)
	end
	return ngx.exec("@broken")   -- cut, stall
end

-- The whole answer is fetched first, so that the head is the store's own.
function M.broken()
	local action, keep = rule.action, rule.keep
	local answer = ngx.location.capture("/-/store", { always_forward_body = true })
	ngx.status = answer.status
	for name, value in pairs(answer.header) do
		ngx.header[name] = value
	end
	ngx.header["Content-Length"] = #answer.body
	ngx.print(answer.body:sub(1, keep))
	ngx.flush(true)
	if action == "stall" then
		stalled = stalled + 1
		hold("STALLED")
		stalled = stalled - 1
	end
	ngx.exit(444)
end

function M.log()
	finished = finished + 1
end

function M.set()
	local a = ngx.req.get_uri_args()
	local number = tonumber
	rule = {
		kind = a.kind, key = a.key, delay = number(a.delay), rate = number(a.rate),
		gate = a.gate == "1", action = a.action, coin = number(a.coin) or 1,
		times = number(a.times) or -1, keep = number(a.keep) or 0,
		status = number(a.status) or 503, code = a.code or "SlowDown",
	}
	hits = 0
	math.randomseed(number(a.seed) or 1)
	ngx.say("ok")
end

-- Lets the n requests through that have waited longest; without n all.
function M.release()
	local n = tonumber(ngx.req.get_uri_args().n) or #held
	for _ = 1, math.min(n, #held) do
		table.remove(held, 1).released:post(1)
	end
	ngx.say("ok")
end

function M.status()
	ngx.say(arrived, " ", finished, " ", hits, " ", stalled)
	for _, entry in ipairs(held) do
		ngx.say(entry.kind, " ", entry.uri)
	end
end

return M
