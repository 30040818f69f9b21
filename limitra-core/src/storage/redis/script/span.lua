-- What sets a time to live adds a span to it, a 32nd of the window but 4.2 s at least: so as long as a record's till stays within its span, no
-- other is needed. And a second, or an hour where a caller's clock, which is nothing to the server's, says the instant; there every write sets it.
span = window > 134217728 and (window - window % 32) / 32 or 4194304
margin = (span - span % 1000) / 1000 + (is_own and 1001 or 3600000)
