"""Speed and size of Kanal, measured from outside and set beside what the same machine does without Kanal."""
