"""
The vision process, on both sides of its pipe.

Its own side is `process`, which loads the model's library; no other module here may
import it, since the recorder does without. The recorder's side is `supervision`, which
does what `life` decides. What they say to each other is `messages`.
"""
