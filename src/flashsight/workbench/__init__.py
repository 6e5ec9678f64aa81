"""From a folder of pictures to a decision: runs, and what is measured on them. Drives `service`, knows no route."""
