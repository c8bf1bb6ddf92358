"""The main job: examine one application from every side and put the answers into one report."""
