"""Calculates how many machines a farm needs: simulates a day, and finds the smallest fleet.

`farm plan` (the command line) calls it, in its one thread. The package renders nothing, and needs
none of the server's packages.

- `kinds`: the processor time, memory and bytes of a render; `scrape` reads a farm's `/metrics`.
- `demand`: the number of requests in each hour.
- `events`, `cores`, `line`, `machine`, `fleet`, `simulation`: the model of a farm under load.
- `sizing`: the smallest fleet that meets the target, hour by hour; `needs`: memory and traffic.
- `report`, `drawing`: the plan as text and as a picture.
"""
