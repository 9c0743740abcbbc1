-- Sessions of the CodeAI Hub in a buffer: a small client of the Agent Client Protocol for Neovim 0.7 and newer.
--
--   require("codeai-hub").setup({ command = { "codeai-hub", "acp" } })      in init.lua, this file in lua/
--
--   :Hub TEXT      says something, in a new session when none is open
--   :HubOpen       chooses one of the daemon's sessions and shows it, with all that was said in it
--   :HubCancel     interrupts the turn
--
-- What other clients say in the session shows up here as well, and whoever answers a permission first has answered it.

local M = { session = nil, updates = {} }

local options = { command = { "codeai-hub", "acp" } }
local job, buffer, next_id, waiting, partial = nil, nil, 1, {}, ""
local line_is_open, last = false, nil

-- The buffer

local function show(text, kind)
  if not buffer or not vim.api.nvim_buf_is_valid(buffer) then
    buffer = vim.api.nvim_create_buf(true, true)
    vim.api.nvim_buf_set_option(buffer, "filetype", "markdown")
    vim.api.nvim_buf_set_name(buffer, "codeai-hub")
  end
  local lines = vim.split(text, "\n", { plain = true })
  local count = vim.api.nvim_buf_line_count(buffer)
  local goes_on = kind ~= nil and kind == last and line_is_open
  if goes_on then
    local former = vim.api.nvim_buf_get_lines(buffer, count - 1, count, false)[1]
    lines[1] = former .. lines[1]
    vim.api.nvim_buf_set_lines(buffer, count - 1, count, false, lines)
  else
    vim.api.nvim_buf_set_lines(buffer, count, count, false, lines)
  end
  last, line_is_open = kind, true
end

local function open_window()
  if buffer and #vim.fn.win_findbuf(buffer) == 0 then
    vim.cmd("vsplit")
    vim.api.nvim_win_set_buf(0, buffer)
  end
end

-- JSON-RPC, a message a line

local function send(message)
  message.jsonrpc = "2.0"
  vim.fn.chansend(job, vim.json.encode(message) .. "\n")
end

local function request(method, params, answered)
  local id = next_id
  next_id = next_id + 1
  waiting[id] = answered or function() end
  send({ id = id, method = method, params = params })
end

local function tell(update)
  table.insert(M.updates, update)
  local kind = update.sessionUpdate
  if kind == "agent_message_chunk" or kind == "agent_thought_chunk" or kind == "user_message_chunk" then
    if update.content.type ~= "text" then
      return show("[" .. update.content.type .. "]")
    end
    if kind ~= last then
      show(kind == "user_message_chunk" and "\n> " or kind == "agent_thought_chunk" and "\n*Thinking:* " or "\n", kind)
    end
    show(update.content.text, kind)
  elseif kind == "tool_call" then
    show("\n- " .. update.title)
  elseif kind == "tool_call_update" and (update.status == "completed" or update.status == "failed") then
    show("  " .. update.status)
    for _, content in ipairs(update.content or {}) do
      if content.type == "diff" then
        show("  " .. content.path)
      end
    end
  elseif kind == "plan" then
    for _, entry in ipairs(update.entries) do
      show("- [" .. (entry.status == "completed" and "x" or " ") .. "] " .. entry.content)
    end
  end
end

local dialogs = {}

local function ask(id, params)
  dialogs[id] = true
  vim.ui.select(params.options, {
    prompt = params.toolCall.title or "Allow?",
    format_item = function(option) return option.name end,
  }, function(option)
    -- Somebody else answered in the meantime: this answer would be too late.
    if not dialogs[id] then return end
    dialogs[id] = nil
    local outcome = option and { outcome = "selected", optionId = option.optionId } or { outcome = "cancelled" }
    send({ id = id, result = { outcome = outcome } })
  end)
end

local function received(message)
  if message.method == "session/update" then
    if message.params.sessionId == M.session or M.session == nil then tell(message.params.update) end
  elseif message.method == "session/request_permission" then
    ask(message.id, message.params)
  elseif message.method == "$/cancel_request" then
    dialogs[message.params.requestId] = nil
    show("*Answered elsewhere.*")
  elseif message.method and message.id ~= nil then
    send({ id = message.id, error = { code = -32601, message = "Method not found" } })
  elseif message.id ~= nil and waiting[message.id] then
    local answered = waiting[message.id]
    waiting[message.id] = nil
    answered(message.result, message.error)
  end
end

-- A list of lines, of which the first goes on with what was left, and the last goes on later.
local function on_stdout(_, lines)
  lines[1] = partial .. lines[1]
  partial = table.remove(lines)
  for _, line in ipairs(lines) do
    if line ~= "" then received(vim.json.decode(line)) end
  end
end

-- What a person does

local function start(ready)
  if job then return ready() end
  job = vim.fn.jobstart(options.command, {
    env = options.env,
    on_stdout = on_stdout,
    on_exit = function() job = nil end,
  })
  if job <= 0 then
    job = nil
    return vim.notify("codeai-hub: cannot start " .. options.command[1], vim.log.levels.ERROR)
  end
  request("initialize", {
    protocolVersion = 1,
    clientInfo = { name = "neovim", title = "Neovim", version = tostring(vim.version().minor) },
    clientCapabilities = { fs = { readTextFile = false, writeTextFile = false } },
  }, ready)
end

local function failed(error)
  show("*" .. error.message .. "*")
end

-- Says something; `done` is called with the stop reason when the turn has ended.
function M.prompt(text, done)
  start(function()
    local function say()
      open_window()
      show("\n> " .. text)
      request("session/prompt", { sessionId = M.session, prompt = { { type = "text", text = text } } },
        function(result, error)
          if error then failed(error) end
          if done then done(result and result.stopReason, error) end
        end)
    end
    if M.session then return say() end
    request("session/new", { cwd = vim.fn.getcwd(), mcpServers = {} }, function(result, error)
      if error then return failed(error) end
      M.session = result.sessionId
      say()
    end)
  end)
end

-- Shows a session; `done` is called when all that was said in it is there.
function M.load(session, done)
  start(function()
    M.session = session
    request("session/load", { sessionId = session, cwd = vim.fn.getcwd(), mcpServers = {} }, function(_, error)
      if error then failed(error) end
      open_window()
      if done then done(error) end
    end)
  end)
end

function M.choose()
  start(function()
    request("session/list", vim.empty_dict(), function(result, error)
      if error then return failed(error) end
      vim.ui.select(result.sessions, {
        prompt = "Session",
        format_item = function(session) return (session.title or session.sessionId) .. "  " .. session.cwd end,
      }, function(session)
        if session then M.load(session.sessionId) end
      end)
    end)
  end)
end

function M.cancel()
  if job and M.session then send({ method = "session/cancel", params = { sessionId = M.session } }) end
end

function M.lines()
  return vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
end

function M.setup(given)
  options = vim.tbl_extend("force", options, given or {})
  vim.api.nvim_create_user_command("Hub", function(command) M.prompt(command.args) end, { nargs = "+" })
  vim.api.nvim_create_user_command("HubOpen", M.choose, {})
  vim.api.nvim_create_user_command("HubCancel", M.cancel, {})
end

return M
