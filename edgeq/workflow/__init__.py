"""One function for each command of edgeq, one file each: a sequence of calls. They print nothing; progress goes to the callback
`tell`.
"""
