"""How descriptors become movements of data and jobs of engines on a target: the one written rule.

Everything here is integers and tables. Devices that have time (the KPU simulator, RTL) execute the movement program
that `entry.expand` gives; they have no rule of their own.
"""
