"""What Streamlit is started on, in a folder of its own.

Beside a `pages` folder Streamlit would serve each page bare until the first visit to
the frame; and it puts this folder first on the path, where no name can hide another.
"""
