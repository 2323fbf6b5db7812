"""The line itself, from intake to delivery. Read it in the order of a task's life:

:mod:`intake` → :mod:`inbox` and :mod:`poll` → :mod:`observe` → :mod:`plan` → :mod:`archive`, :mod:`deliver`;
:mod:`view` is what others get to see of a task, :mod:`why` tells its whole story.
"""
