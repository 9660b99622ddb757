from farm.markdown.process import main

main()
