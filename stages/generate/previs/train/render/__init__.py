"""A small 2.5-D renderer: painted layers in depth, seen through a moving camera."""
