from farm.egress.process import main

main()
