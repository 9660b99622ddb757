"""How many machines a farm needs: a simulation of a day, and a search for the smallest fleet.

`farm plan` (the command line) calls it. Nothing here renders, and nothing needs the server's
packages. Everything runs in the one thread of the command.

- `kinds`: what a render of each kind takes; `scrape` makes kinds from a farm's `/metrics`.
- `demand`: how many renders come in each hour.
- `events`, `cores`, `line`, `machine`, `fleet`, `simulation`: the model of a farm under load.
- `sizing`: the smallest fleet that meets the target, hour by hour; `needs`: memory and traffic.
- `report`, `drawing`: the plan as text and as a picture.
"""
