"""Data of users: inspection of folders of images and labels, and the configs of a pair of domains from them."""
