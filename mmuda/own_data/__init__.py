"""Own data: look at folders of images and labels, and write the configs of a pair."""
