-- Run by a headless Neovim with the example of doc/examples/neovim: nvim --headless -u NONE -i NONE -l is newer than
-- what Debian has, so by -c luafile. HUB_DOOR is the program `codeai-hub`.

local function check(condition, what)
  if not condition then error(what, 2) end
end

local function wait(what, is_so)
  check(vim.wait(60000, is_so, 10), "not within 60 s: " .. what)
end

local function shown(text)
  return table.concat(hub.lines(), "\n"):find(text, 1, true) ~= nil
end

local function main()
  hub = dofile(vim.env.HUB_EXAMPLE)
  hub.setup({ command = { vim.env.HUB_DOOR, "acp", "--provider", "echo" } })

  local reason
  local function say(text)
    reason = nil
    hub.prompt(text, function(stop, error) reason = stop or error.message end)
  end

  vim.cmd("Hub [[think:hm]] [[text:hello from the hub]] [[plan:+a|b]] [[diff:/tmp/a|old|new]]")
  wait("the answer is shown", function() return hub.session and shown("- Edit /tmp/a") end)
  check(shown("> [[think:hm]]") and shown("*Thinking:* hm") and shown("hello from the hub"), "what was said")
  check(shown("- [x] a") and shown("- [ ] b"), "the plan")

  -- The person is asked, and allows.
  vim.ui.select = function(items, options, choice)
    check(options.prompt == "rm x" and options.format_item(items[1]) ~= nil, "the question")
    choice(items[1])
  end
  say("[[permission:once,reject rm x]]")
  wait("the turn ends", function() return reason end)
  check(reason == "end_turn" and shown("Permission for rm x: allow_once"), "the permission")

  -- Somebody else answers first: the dialog that is open here counts no more.
  local late
  vim.ui.select = function(items, _, choice) late = function() choice(items[2]) end end
  say("[[permission:once,reject rm y]]")
  wait("the dialog is open", function() return late end)
  vim.fn.system({ vim.env.HUB_DOOR, "approve", hub.session })
  check(vim.v.shell_error == 0, "approve")
  wait("the turn ends", function() return reason end)
  late()
  check(shown("Permission for rm y: allow_once") and shown("*Answered elsewhere.*"), "answered elsewhere")

  -- Interrupted.
  say("[[stream:1000x20@50]]")
  wait("it streams", function() return #hub.updates > 0 and hub.updates[#hub.updates].sessionUpdate == "agent_message_chunk" end)
  vim.cmd("HubCancel")
  wait("the turn ends", function() return reason end)
  check(reason == "cancelled", reason)

  -- All of it again, from the log.
  hub.updates = {}
  local loaded
  hub.load(hub.session, function(error) loaded = error and error.message or "loaded" end)
  wait("it is loaded", function() return loaded end)
  check(loaded == "loaded", loaded)
  local prompts = 0
  for _, update in ipairs(hub.updates) do
    if update.sessionUpdate == "user_message_chunk" then prompts = prompts + 1 end
  end
  check(prompts == 4, prompts .. " prompts")

  vim.ui.select = function(items, options, choice)
    check(options.format_item(items[1]):find("think", 1, true), "the list of sessions")
    choice(items[1])
  end
  hub.updates = {}
  vim.cmd("HubOpen")
  wait("it is opened", function() return #hub.updates > 0 end)
end

local isGood, problem = xpcall(main, debug.traceback)
if not isGood then io.stderr:write(problem .. "\n" .. table.concat(hub.lines(), "\n") .. "\n") end
vim.cmd(isGood and "qall!" or "cquit!")
