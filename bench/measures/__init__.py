"""What is measured. Each module is a program and says at its top what it measures."""
