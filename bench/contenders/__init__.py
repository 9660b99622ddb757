"""Who renders it: farms, other services, the limit; how they are started and watched."""
