class Scorer:
    def __init__(self, top):
        pass

    def observe(self, row):
        pass

    def report(self, token, piece):
        return None
