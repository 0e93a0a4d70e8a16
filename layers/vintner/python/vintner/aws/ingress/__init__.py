"""Ways in that an account serves: records over HTTP, and files dropped into a bucket."""
