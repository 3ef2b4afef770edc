"""The main job behind `python -m skdict_sup`: digits three ways, a table and a figure."""
