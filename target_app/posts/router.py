"""The HTTP endpoints of posts, comments and tags."""

from collections.abc import Sequence

from fastapi import APIRouter, status

from target_app.errors import problems
from target_app.models import Comment, Post, Tag
from target_app.parameters import Page, PathId
from target_app.posts.repository import Posts
from target_app.posts.schemas import (
    CommentCreate,
    CommentRead,
    ImportedComment,
    PostCreate,
    PostDetail,
    PostRead,
    TagRead,
    ThreadImport,
)
from target_app.posts.service import WritingService
from target_app.posts.threads import ThreadImports

router = APIRouter(tags=["posts"])


@router.post(
    "/posts",
    response_model=PostRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 404, 409),
)
async def create_post(new: PostCreate, writing: WritingService) -> Post:
    """Create a post."""
    return await writing.publish(new)


@router.get("/posts", response_model=list[PostRead])
async def list_posts(page: Page, posts: Posts) -> Sequence[Post]:
    """List posts by id, with author and tags."""
    return await posts.page(page)


@router.get("/posts/{post_id}", response_model=PostDetail, responses=problems(404))
async def read_post(post_id: PathId, posts: Posts) -> Post:
    """Return one post with its comments."""
    return await posts.detail(post_id)


@router.post(
    "/posts/{post_id}/comments",
    response_model=CommentRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 404, 409),
)
async def create_comment(post_id: PathId, new: CommentCreate, writing: WritingService) -> Comment:
    """Comment on a post, or reply to one of its comments."""
    return await writing.comment(post_id, new)


@router.post(
    "/posts/{post_id}/comments/import",
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 404, 409),
)
async def import_thread(
    post_id: PathId, thread: ThreadImport, imports: ThreadImports
) -> list[ImportedComment]:
    """Add a whole thread, in any order; all of it or, if a parent or an author is missing, none."""
    return await imports.add(post_id, thread.comments)


@router.get("/tags", response_model=list[TagRead])
async def list_tags(page: Page, posts: Posts) -> Sequence[Tag]:
    """List tags by id."""
    return await posts.tags.page(page)
