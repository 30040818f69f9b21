-- All subjects, or none.
local attempt
--> general.lua
local asks = {}
for index = 1, #KEYS do
  local ask = ARGV[index + 1]
  asks[index] = ask ~= '' and ask or asks[index - 1]
end
return attempt(KEYS, asks)
